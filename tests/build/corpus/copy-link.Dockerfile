FROM localhost/corpus/base:1
RUN mkdir -m 0700 /t
COPY --link a.txt /t/
COPY --link --chown=3:4 dir /new/dir/
#: not classic,buildkit,buildah: --link came later
#: differs classic file /new: the parents it makes are root's, whatever --chown says
