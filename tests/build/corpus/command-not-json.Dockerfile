FROM localhost/corpus/base:1
CMD [one, two]
ENTRYPOINT ['/bin/echo']
