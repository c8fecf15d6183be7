FROM localhost/corpus/base:1
ADD a.txt b.txt /t/
ADD dir /d
ADD --chown=4:5 run.sh /r
