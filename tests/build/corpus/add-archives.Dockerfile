FROM localhost/corpus/base:1
ADD arch.tar /t1
ADD arch.tar.gz /t2/
ADD arch.tar.bz2 /t3
ADD arch.tar.xz /t4
#: differs buildah file /t?: it applies the archive's own top directory to the destination, which docker's builders do not
