FROM localhost/corpus/base:1
USER user
RUN echo $HOME > /tmp/home; cd; pwd > /tmp/pwd
