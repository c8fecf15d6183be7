FROM localhost/corpus/base:1
RUN <<EOF
set -e
echo one > /1
echo "$HOME" > /2
EOF
RUN <<EOF
#!/bin/sh
echo program > /3
EOF
RUN cat <<A > /4 && cat <<-'B' > /5
a $HOME
A
	b $HOME
B
#: not classic,buildkit,buildah: heredocs came later
