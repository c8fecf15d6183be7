FROM localhost/corpus/base:1 AS one
ARG V=one
RUN echo "[$V]" > /1
FROM localhost/corpus/base:1 AS two
RUN echo "[$V]" > /2
FROM one
COPY --from=two /2 /2
RUN echo "[$V]" > /3
#: differs buildah,classic file /3: the reference: a stage inherits the ARGs of the one it is built on; they do not
