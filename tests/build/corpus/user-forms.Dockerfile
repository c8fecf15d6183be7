FROM localhost/corpus/base:1
USER user
RUN id -u > /tmp/1; id -g >> /tmp/1
USER 1234
RUN id -u > /tmp/2; id -g >> /tmp/2
USER user:staff
RUN id -u > /tmp/3; id -g >> /tmp/3
USER 77:88
RUN id -u > /tmp/4; id -g >> /tmp/4
