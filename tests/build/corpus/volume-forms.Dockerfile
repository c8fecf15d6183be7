FROM localhost/corpus/base:1
VOLUME ["/a", "/b c"]
VOLUME /d /e/f
VOLUME /a
