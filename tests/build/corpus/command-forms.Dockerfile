FROM localhost/corpus/base:1
CMD ["one", "two words", "quote \" and \\ back"]
ENTRYPOINT ["/bin/echo"]
