FROM localhost/corpus/base:1
RUN mkdir -p /d/e && echo 1 > /d/a && echo 2 > /d/e/b && ln -s a /d/l
RUN rm -r /d/e /d/l /etc/group
RUN mkdir /d/e && echo 3 > /d/e/c
RUN rm -r /d && mkdir /d && echo new > /d/new
