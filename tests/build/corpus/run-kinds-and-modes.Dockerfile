FROM localhost/corpus/base:1
RUN mkdir -m 1777 /sticky && touch /suid /sgid && chmod 4755 /suid && chmod 2755 /sgid && mkfifo -m 600 /fifo && ln -s /suid /sym && ln /suid /hard
RUN chown 12:34 /sgid && chown -h 5:6 /sym && touch -d "2001-02-03 04:05:06" /dated && umask 077 && touch /masked
