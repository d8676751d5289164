# shellcheck shell=bash
# certificates.sh: makes the certificates of tests/e2e/trust in /etc/trust, each with its key.

set -euo pipefail
rm -rf /etc/trust
mkdir -p /etc/trust/empty /etc/trust/any /etc/trust/linked
cd /etc/trust
host=registry.example.org
name="subjectAltName=DNS:$host,IP:10.77.0.20"
authority=basicConstraints=critical,CA:TRUE

request() {
    openssl ecparam -genkey -name prime256v1 -noout -out "$1.key"
    openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
}

now=(-days 100)
# OpenSSL 3.4 added this flag, and since then rejects a negative number of days.
if openssl x509 -help 2>&1 | grep -q -e -not_after; then
    expired=(-not_before 20200101000000Z -not_after 20210101000000Z)
else
    expired=(-days -1)
fi

# own NAME EXTENSION...: makes a self-signed certificate, valid for the period in $validity
own() {
    local certificate=$1
    shift
    request "$certificate"
    openssl x509 -req -in "$certificate.csr" -signkey "$certificate.key" "${validity[@]}" \
        -extfile <(printf '%s\n' "$@") -out "$certificate.pem"
}

# issued NAME AUTHORITY EXTENSION...: makes a certificate signed by AUTHORITY
issued() {
    local certificate=$1 by=$2
    shift 2
    request "$certificate"
    openssl x509 -req -in "$certificate.csr" -CA "$by.pem" -CAkey "$by.key" -CAcreateserial \
        -days 100 -extfile <(printf '%s\n' "$@") -out "$certificate.pem"
}

validity=("${expired[@]}")
own old-authority "$authority"
own own-expired "$name" "$authority"
validity=("${now[@]}")
own authority "$authority"
own no-authority basicConstraints=critical,CA:FALSE
issued good authority "$name"
issued good-authority authority "$name" "$authority"
issued other-name authority subjectAltName=DNS:other.example.org
issued for-clients authority "$name" extendedKeyUsage=clientAuth
issued by-old old-authority "$name"
issued by-none no-authority "$name"
issued client authority extendedKeyUsage=clientAuth
own own-authority "$name" "$authority"
own own "$name" basicConstraints=critical,CA:FALSE
cp authority.pem any/name
ln -s name any/hash.0
ln -s ../any/name linked/name
