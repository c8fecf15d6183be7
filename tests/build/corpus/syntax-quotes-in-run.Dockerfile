FROM localhost/corpus/base:1
RUN echo "a \"quoted\" word" 'and $HOME' \$HOME > /out
RUN printf '%s\n' "tab	here" 'back\slash' "dollar $$" > /dev/null; echo "x#y" > /out2 # to the shell
RUN [ -n "not json" ] && echo shell > /out3
