FROM localhost/corpus/base:1
CMD one
CMD ["two"]
ENTRYPOINT ["a"]
ENTRYPOINT ["b"]
