FROM localhost/corpus/base:1
CMD echo one  two
ENTRYPOINT exec top -b
