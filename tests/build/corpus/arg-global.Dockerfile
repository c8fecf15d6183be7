ARG TAG=1
ARG NAME=base
ARG DEFAULT=global
FROM localhost/corpus/${NAME}:${TAG}
ARG TAG
ARG DEFAULT=stage
RUN echo "[$TAG] [$NAME] [$DEFAULT]" > /out
ARG NAME
RUN echo "[$NAME]" > /out2
