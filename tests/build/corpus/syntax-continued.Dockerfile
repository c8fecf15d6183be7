FROM localhost/corpus/base:1
RUN echo one > /one && \
    # a comment in the middle of a command

    echo two > /two \
    # and one at its end
    && echo three > /three
ENV A=1 \
    # of a list
    B=2
LABEL \
  x=1 \
  y=2
