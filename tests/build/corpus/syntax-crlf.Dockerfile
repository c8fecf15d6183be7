FROM localhost/corpus/base:1
ENV A=1
RUN echo x > /out && \
    echo y > /out2
COPY a.txt /t/
