FROM localhost/corpus/base:1
ENV abc=hello
ENV abc=bye def=$abc
ENV ghi=$abc jkl=${def}x$undefined.
RUN echo $abc $def $ghi $jkl > /out
