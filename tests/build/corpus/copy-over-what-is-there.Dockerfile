FROM localhost/corpus/base:1
RUN mkdir -m 0711 /d && chown 3:4 /d && echo old > /d/a.txt && echo kept > /d/other && mkdir /real && ln -s real /alias && ln -s /real/file /filelink && echo r > /real/file
COPY a.txt /d/
COPY dir /d
COPY a.txt /alias/
COPY b.txt /alias/renamed
COPY dir /alias
