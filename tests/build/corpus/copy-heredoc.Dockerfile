FROM localhost/corpus/base:1
ARG V=value
COPY <<EOF <<'RAW' /t/
a $V
EOF
b $V
RAW
COPY --chmod=0600 --chown=3:4 <<one /new/file
	kept
one
#: not classic,buildkit,buildah: heredocs came later
