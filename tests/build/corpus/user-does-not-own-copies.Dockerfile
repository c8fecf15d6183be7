FROM localhost/corpus/base:1
USER user
COPY a.txt /x/
ADD arch.tar /y/
RUN echo mine > /tmp/f
#: differs buildah file /y: it applies the archive's own top directory to the destination, which docker's builders do not
