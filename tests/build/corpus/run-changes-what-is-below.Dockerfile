FROM localhost/corpus/base:1
RUN chmod 0700 /etc && chown 9 /etc/passwd && echo more >> /etc/group && mv /etc/motd /etc/moved && ln -sf /etc/moved /etc/motd
RUN chmod 0755 /etc
