FROM localhost/corpus/base:1
SHELL ["/bin/sh", "-ec"]
RUN echo "$0" > /out; test -e /nowhere || echo no >> /out
CMD run it
ENTRYPOINT serve it
HEALTHCHECK CMD check it
SHELL ["/bin/ash", "-c"]
RUN echo ash > /out2
#: differs buildah config.Cmd: SHELL changes the shell form of CMD, says the reference; here it does not
#: differs buildah config.Entrypoint: the same
