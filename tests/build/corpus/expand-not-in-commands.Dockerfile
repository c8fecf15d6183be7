FROM localhost/corpus/base:1
ENV V=x
CMD echo $V
ENTRYPOINT ["/bin/echo", "$V", "${V}"]
HEALTHCHECK CMD test $V
ONBUILD RUN echo $V
