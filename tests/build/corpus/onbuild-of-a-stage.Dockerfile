FROM localhost/corpus/base:1 AS lib
ONBUILD RUN echo done > /by-trigger
ONBUILD ENV FROM_TRIGGER=yes
FROM lib
RUN cat /by-trigger > /out
