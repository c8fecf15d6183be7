FROM localhost/corpus/base:1
ENTRYPOINT []
CMD []
