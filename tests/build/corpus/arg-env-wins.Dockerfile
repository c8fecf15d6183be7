FROM localhost/corpus/base:1
ARG V=arg
RUN echo $V > /1
ENV V=env
RUN echo $V > /2
ARG V=again
RUN echo $V > /3
#: differs buildkit file /3: the reference: ENV always overrides ARG; this BuildKit lets a later ARG win in RUN
