FROM localhost/corpus/base:1
RUN --mount=type=secret,id=s cat /run/secrets/s > /dev/null && stat -c '%a %u %g' /run/secrets/s > /out
RUN --mount=type=secret,id=s,target=/tmp/s,mode=0444,uid=7 stat -c '%a %u' /tmp/s > /out2
RUN --mount=type=secret,id=not-given test ! -e /run/secrets/not-given
#: args --secret id=s,src=@context@/a.txt
#: not classic: it has no mounts
#: differs buildah,buildkit,classic file /out: ours shows the user's own file, with its mode, so that there is no copy; uid=, gid= or mode= make one
#: differs buildah,buildkit file /run/secrets: it leaves the mount's directory behind in the layer
