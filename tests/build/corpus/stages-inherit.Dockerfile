FROM localhost/corpus/base:1 AS a
ENV E=1
WORKDIR /w
USER 5:6
EXPOSE 80
VOLUME /v
CMD ["c"]
SHELL ["/bin/sh", "-ec"]
STOPSIGNAL SIGINT
HEALTHCHECK CMD true
FROM a
RUN pwd > /tmp/1; id -u >> /tmp/1; echo $E >> /tmp/1
ENV F=${E}2
#: differs buildah,classic file /v: it makes the directory of a VOLUME in the image
