FROM localhost/corpus/base:1
COPY dir /t1
COPY dir/ /t2/
COPY dir /t3/
COPY dir dir2 /both/
COPY empty /empty
COPY dir/sub /home
