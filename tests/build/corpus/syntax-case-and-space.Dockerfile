from localhost/corpus/base:1 as One
	run echo a   b   c > /out  
  EnV  X=1

#no blank behind it
   # indented
copy   a.txt	 /t/
From one
label last=yes
#: not buildah: it minds capital letters in a stage's name
