FROM localhost/corpus/base:1
RUN mkdir -p /t/in && echo old > /t/in/file && chmod 0711 /t && echo kept > /t/in/kept
ADD arch.tar /t
#: differs buildah file /t: it applies the archive's own top directory to the destination, which docker's builders do not
