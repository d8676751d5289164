# shellcheck shell=bash
# The images on the hub: OCI layouts with a busybox userland, written by hand.

# Each image's name, and the size in MB of its files besides the userland.
hub_images=(
    determinedai/environments:py-3.8-pytorch-1.10-tf-2.8-cpu-69f397f 150
    determinedai/environments:cuda-11.3-pytorch-1.10-tf-2.8-gpu-69f397f 0
    determinedai/environments:rocm-4.2-pytorch-1.9-tf-2.5-rocm-9119094 0
    library/alpine:3.20 0
    library/alpine:latest 0
    library/busybox:latest 0
)

applets=(ash basename cat chmod cp cut date dirname du echo env expr false find grep head hostname
    id ln ls mkdir mv nproc printf ps pwd readlink realpath rm sed seq sh sleep sort stat tail test
    touch tr true uname wc which whoami)

# write_layout DIR NAME MB BUSYBOX: DIR becomes an OCI layout of one image.
write_layout() {
    local dir=$1 name=$2 megabytes=$3 busybox=$4
    mkdir -p "$dir/blobs/sha256" "$dir/root"
    write_userland "$dir/root" "$name" "$busybox"
    write_ballast "$dir/root/opt/conda" "$megabytes"
    tar --create --file "$dir/layer" --directory "$dir/root" --owner 0 --group 0 --numeric-owner \
        --sort name --mtime @0 .
    rm -r "$dir/root"
    write_manifest "$dir" "$name"
}

write_userland() {
    local root=$1 name=$2 busybox=$3 applet
    mkdir -p "$root"/{bin,dev,etc,home,opt,proc,root,sys,tmp,usr,var/tmp}
    chmod 1777 "$root/tmp" "$root/var/tmp"
    cp -- "$busybox" "$root/bin/busybox"
    for applet in "${applets[@]}"; do ln -s busybox "$root/bin/$applet"; done
    printf '%s\n' "$name" >"$root/etc/image-name"
    printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
    printf 'root:x:0:\n' >"$root/etc/group"
}

# Half of each file is random and half compresses well, as in a real image, so that the conversion
# of the image to SIF takes a noticeable time.
write_ballast() {
    local dir=$1 megabytes=$2 n
    for ((n = 0; n < megabytes; n += 10)); do
        mkdir -p "$dir"
        { head -c 5M /dev/urandom && printf '%5242880d' "$n"; } >"$dir/lib$n.so"
    done
}

# add_blob DIR FILE moves FILE to the path that its digest determines; sets digest and size.
add_blob() {
    digest=$(sha256sum "$2" | cut -d' ' -f1)
    size=$(stat --format %s "$2")
    mv -- "$2" "$1/blobs/sha256/$digest"
}

write_manifest() {
    local dir=$1 name=$2 digest size layer_digest layer
    local oci=application/vnd.oci.image
    add_blob "$dir" "$dir/layer"
    layer_digest=$digest
    layer=$(descriptor "$oci.layer.v1.tar")
    printf '{"architecture":"%s","os":"linux","config":{"Env":["PATH=/usr/local/bin:/usr/bin:/bin","IMAGE_NAME=%s"],"Entrypoint":null,"Cmd":["/bin/sh"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$(dpkg --print-architecture)" "$name" "$layer_digest" >"$dir/config"
    add_blob "$dir" "$dir/config"
    printf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s]}' \
        "$oci.manifest.v1+json" "$(descriptor "$oci.config.v1+json")" "$layer" >"$dir/manifest"
    add_blob "$dir" "$dir/manifest"
    printf '{"schemaVersion":2,"manifests":[%s]}' "$(descriptor "$oci.manifest.v1+json")" >"$dir/index.json"
    printf '{"imageLayoutVersion":"1.0.0"}' >"$dir/oci-layout"
}

# descriptor MEDIA-TYPE: prints the descriptor of the blob that add_blob added last.
descriptor() {
    printf '{"mediaType":"%s","digest":"sha256:%s","size":%d}' "$1" "$digest" "$size"
}
