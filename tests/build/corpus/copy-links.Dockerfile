FROM localhost/corpus/base:1
COPY links /t
COPY links/to-file /copied
COPY links/to-dir /copied-dir
COPY links/to-dir/x /through
COPY links/hard1 links/hard2 /h/
