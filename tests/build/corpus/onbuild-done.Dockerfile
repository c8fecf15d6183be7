FROM localhost/corpus/onbuild:1
RUN cat /trigger > /after
