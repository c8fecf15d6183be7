FROM localhost/corpus/base:1
ARG P=7000
EXPOSE 80 443/tcp 53/udp
EXPOSE 8000-8002 $P/udp 80
EXPOSE 99/TCP
#: differs buildah config.ExposedPorts: it keeps ranges and letters as they were written
