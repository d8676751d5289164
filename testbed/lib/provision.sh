#!/bin/bash
# Runs inside the new root file system: users, directories, settings, certificates.
set -euo pipefail

make_users() {
    useradd --uid 1001 --no-create-home --home-dir /home/alice --shell /bin/bash alice
    useradd --uid 1002 --no-create-home --home-dir /home/bob --shell /bin/bash bob
}

make_directories() {
    mkdir -p /shared /local/sif /srv/registry /var/spool/slurmctld /var/spool/slurmd /var/log/slurm
    chmod 755 /shared /local /local/sif /var/log/slurm
}

configure_daemons() {
    # imklog is not loaded, because the kernel's log belongs to the machine, not to the host.
    cat >/etc/rsyslog.conf <<'END'
module(load="imuxsock")
$FileCreateMode 0644
*.* /var/log/syslog
END
    cat >/etc/docker/registry/hub.yml <<'END'
version: 0.1
log:
  accesslog:
    disabled: false
storage:
  filesystem:
    rootdirectory: /srv/registry
  delete:
    enabled: true
http:
  addr: :443
  tls:
    certificate: /etc/hub/hub.pem
    key: /etc/hub/hub.key
END
    # All hosts have the same munge key, as on any cluster.
    [[ -s /etc/munge/munge.key ]] || dd if=/dev/urandom of=/etc/munge/munge.key bs=128 count=1
    chown munge:munge /etc/munge/munge.key
    chmod 400 /etc/munge/munge.key
}

# Makes mpirun work inside jobs. Debian's setting restricts Open MPI to one machine, on lo. A node
# also claims more processors than there are: mpirun binds one process to each core by default, so
# it would refuse a job with more processes than cores.
configure_mpi() {
    sed -i 's/^btl_tcp_if_include *=.*/btl_tcp_if_include=eth0/' /etc/openmpi/openmpi-mca-params.conf
    if [[ -d /etc/prrte ]]; then
        printf 'bindto = none\n' >>/etc/prrte/prte-mca-params.conf
    else # Open MPI 4
        printf 'hwloc_base_binding_policy = none\n' >>/etc/openmpi/openmpi-mca-params.conf
    fi
}

# Removes the script that prints escape sequences, which few terminals support, at every prompt of a
# login shell.
quieten_prompt() {
    rm -f /etc/profile.d/*-systemd-osc-context.sh
}

# The hub takes the place of docker.io, so its certificate must contain that name. The key of the
# certificate authority is deleted, because it will never sign anything else.
make_certificates() {
    local names=DNS:hub,DNS:docker.io,DNS:registry-1.docker.io,DNS:index.docker.io,DNS:auth.docker.io,DNS:registry.example.org
    mkdir -p /etc/hub
    cd /etc/hub
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
        -subj '/CN=testbed authority' -keyout ca.key -out ca.pem
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -subj /CN=hub -addext "subjectAltName=$names" -keyout hub.key -out hub.csr
    openssl x509 -req -in hub.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 \
        -copy_extensions copyall -out hub.pem
    rm ca.key hub.csr
    cp ca.pem /usr/local/share/ca-certificates/testbed.crt
    update-ca-certificates
}

make_users
make_directories
configure_daemons
configure_mpi
quieten_prompt
make_certificates
# There is no name server, so the lookup of a name that is not in the hosts file fails at once.
: >/etc/resolv.conf
