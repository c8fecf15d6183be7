FROM localhost/corpus/base:1
RUN mkdir /v && echo before > /v/before
VOLUME /v
RUN echo after > /v/after
COPY a.txt /v/
#: differs buildah,classic file /v/after: the reference: BuildKit keeps what a RUN changes in a volume, the old builder discards it
