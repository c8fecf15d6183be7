FROM localhost/corpus/base:1
ADD --chown=9:9 arch.tar /t/
ADD arch.tar a.txt /u/
#: differs buildah file /u: it applies the archive's own top directory to the destination, which docker's builders do not
#: differs classic file /t: the destination it makes keeps root as its owner
#: differs buildah file /t: it applies the archive's own top directory to the destination, which docker's builders do not
#: differs buildah file /t/implied: it gives a directory that the archive does not name to --chown's owner
