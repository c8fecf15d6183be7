FROM localhost/corpus/base:1 AS src
RUN echo made > /made
FROM localhost/corpus/base:1
RUN --mount=type=bind,target=/ctx cat /ctx/a.txt > /1
RUN --mount=type=bind,from=src,source=/made,target=/m cat /m > /2
RUN --mount=target=/ctx,rw echo lost > /ctx/new && cat /ctx/new > /3
#: not classic: it has no mounts
#: differs buildkit file /ctx: it leaves the mount's directory behind in the layer
