FROM scratch
COPY a.txt dir/x /
COPY dir /d
ENV A=1
CMD ["/a"]
#: differs buildah,classic config.WorkingDir: they leave / unsaid
