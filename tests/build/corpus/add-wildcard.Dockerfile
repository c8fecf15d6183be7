FROM localhost/corpus/base:1
ADD arch.tar.* /t/
ADD src/*.c /s/
#: differs buildah file /t: it applies the archive's own top directory to the destination, which docker's builders do not
