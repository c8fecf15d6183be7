FROM localhost/corpus/base:1
HEALTHCHECK NONE
HEALTHCHECK CMD ["test", "-e", "/x"]
