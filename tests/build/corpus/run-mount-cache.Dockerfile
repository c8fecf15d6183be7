FROM localhost/corpus/base:1
RUN --mount=type=cache,target=/cache,id=corpus echo 1 > /cache/f
RUN --mount=type=cache,target=/cache,id=corpus cp /cache/f /out
RUN --mount=type=tmpfs,target=/t echo x > /t/x && ls /t > /out2
#: not classic: it has no mounts
#: differs buildkit file /cache: it leaves the mount's directory behind in the layer
#: differs buildkit file /t: it leaves the mount's directory behind in the layer
