FROM localhost/corpus/base:1
CMD ["kept"]
ENTRYPOINT ["/bin/sh"]
