#!/bin/bash
# jobs.sh AGO USER: the jobs of a user on one day, on a cluster of the testbed. AGO is the number of
# days before the last one. Not all jobs find their image, so some of them fail.

ago=$1 user=$2

start() {
    local partition=$1 tasks=$2 image=$3
    srun --quiet --partition="$partition" --ntasks="$tasks" --oversubscribe \
        singularity exec "docker://$image" true >/dev/null 2>&1
}

# Which images a day has: those of its weekday, and more of them on workdays. Monday is 0.
weekday=$(($(date -d "-$ago days" +%u) - 1))
workday=$((weekday < 5 ? 1 : 0))
number=$((30 - ago))

case $user in
    alice)
        start gpu $((2 + workday * (3 + number % 4))) pytorch/pytorch:2.9.1-cuda13.0-cudnn9-runtime
        ((weekday == 0)) && start cpu 4 ubuntu:24.04
        ((workday)) && start gpu $((3 + number / 8)) tensorflow/tensorflow:2.20.0-gpu
        ((workday && ago < 26)) && start gpu 4 nvcr.io/nvidia/pytorch:26.09-py3
        start cpu $((2 + weekday)) python:3.13-slim
        ((weekday == 2)) && start cpu 6 rocker/r-ver:4.5.2
        ((weekday == 1 && ago < 9)) && start cpu 8 ghcr.io/lammps/lammps:stable_22Jul2025
        ((ago % 4 == 0)) && start gpu 1 vllm/vllm-openai:v0.12.0
        ((weekday == 3)) && start cpu 2 julia:1.12
        ((ago < 12 && workday)) && start cpu 2 quay.io/jupyter/scipy-notebook:2026-10-05
        ;;
    bob)
        sbatch --quiet --wait --partition=cpu --output=/dev/null --wrap "
            for tool in samtools:1.22--h96c455f_0 bwa:0.7.19--h577a1d6_0 fastqc:0.12.1--hdfd78af_0; do
                singularity exec docker://quay.io/biocontainers/\$tool true
            done"
        ((workday)) && start cpu $((1 + number % 5)) ubuntu:24.04
        ((workday)) && start cpu 4 gromacs/gromacs:2025.3
        ((workday)) && start cpu 2 python:3.13-slim
        ((weekday == 2 || weekday == 3)) && start gpu 4 pytorch/pytorch:2.9.1-cuda13.0-cudnn9-runtime
        ((weekday == 0)) && start cpu 2 debian:12
        ((ago % 8 == 0)) && start gpu 1 vllm/vllm-openai:v0.12.0
        ((weekday == 4)) && start cpu 3 alpine:3.20
        ((ago < 24 && weekday % 2 == 0)) && start cpu 2 alpine:3.22
        ((ago % 5 == 0)) && start cpu 8 openfoam/openfoam:11
        ((ago > 20)) && start cpu 2 alpine:3.22
        ((ago % 6 == 1)) && start cpu 1 quay.io/biocontainers/multiqc:1.32--pyhdfd78af_0
        ((weekday == 1)) && start gpu 2 determinedai/environments:py-3.8-pytorch-1.10-tf-2.8-cpu-69f397f
        ;;
esac
exit 0
