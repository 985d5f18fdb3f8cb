# The runs of docs/results.md; python benchmarks/results.py run FOLDER makes the same, and goes on where it was interrupted.
readbench run --suite tool-use --allocators task-static,gap,learnable,horizon --seeds 300,301,302,303,304,305,306,307,308,309 --set pilots.draw=31 --out results/tool-use/planned
readbench run --suite tool-use --allocators horizon --requirement pilots --seeds 300,301,302,303,304,305,306,307,308,309 --set pilots.draw=31 --out results/tool-use/told
readbench run --suite tool-use --allocators read,read-cold,greedy,grid --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/tool-use/bandits
readbench run --suite tool-use --allocators odm,exp3s,tscl,dump,dynamix,skill-it,skill-it-pilots,aioli,ado,doremi,tac,ads,paced,gap-kl --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/tool-use/peers
readbench run --suite tool-use --allocators odm,exp3s,tscl,dump --seeds 300,301,302,303,304 --set params.allocator.odm.prior=uniform --set params.allocator.exp3s.prior=uniform --set params.allocator.tscl.prior=uniform --set params.allocator.dump.prior=uniform --set pilots.draw=31 --out results/tool-use/bare
readbench run --suite tool-use --allocators uniform,random,per-capability,one-hot --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/tool-use/plain
readbench run --suite reasoning --allocators task-static,gap,learnable,horizon --seeds 300,301,302,303,304,305,306,307,308,309 --set pilots.draw=31 --out results/reasoning/planned
readbench run --suite reasoning --allocators horizon --requirement pilots --seeds 300,301,302,303,304,305,306,307,308,309 --set pilots.draw=31 --out results/reasoning/told
readbench run --suite reasoning --allocators read,read-cold,greedy,grid --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/reasoning/bandits
readbench run --suite reasoning --allocators odm,exp3s,tscl,dump,dynamix,skill-it,skill-it-pilots,aioli,ado,doremi,tac,ads,paced,gap-kl --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/reasoning/peers
readbench run --suite reasoning --allocators odm,exp3s,tscl,dump --seeds 300,301,302,303,304 --set params.allocator.odm.prior=uniform --set params.allocator.exp3s.prior=uniform --set params.allocator.tscl.prior=uniform --set params.allocator.dump.prior=uniform --set pilots.draw=31 --out results/reasoning/bare
readbench run --suite reasoning --allocators uniform,random,per-capability,one-hot --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/reasoning/plain
readbench run --suite coding --allocators task-static,gap,learnable,horizon --seeds 300,301,302,303,304,305,306,307,308,309 --set pilots.draw=31 --out results/coding/planned
readbench run --suite coding --allocators horizon --requirement pilots --seeds 300,301,302,303,304,305,306,307,308,309 --set pilots.draw=31 --out results/coding/told
readbench run --suite coding --allocators read,read-cold,greedy,grid --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/coding/bandits
readbench run --suite coding --allocators odm,exp3s,tscl,dump,dynamix,skill-it,skill-it-pilots,aioli,ado,doremi,tac,ads,paced,gap-kl --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/coding/peers
readbench run --suite coding --allocators odm,exp3s,tscl,dump --seeds 300,301,302,303,304 --set params.allocator.odm.prior=uniform --set params.allocator.exp3s.prior=uniform --set params.allocator.tscl.prior=uniform --set params.allocator.dump.prior=uniform --set pilots.draw=31 --out results/coding/bare
readbench run --suite coding --allocators uniform,random,per-capability,one-hot --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/coding/plain
readbench run --suite generalist --allocators task-static,gap,learnable,horizon --seeds 300,301,302,303,304,305,306,307,308,309 --set pilots.draw=31 --out results/generalist/planned
readbench run --suite generalist --allocators horizon --requirement pilots --seeds 300,301,302,303,304,305,306,307,308,309 --set pilots.draw=31 --out results/generalist/told
readbench run --suite generalist --allocators read,read-cold,greedy,grid --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/generalist/bandits
readbench run --suite generalist --allocators odm,exp3s,tscl,dump,dynamix,skill-it,skill-it-pilots,aioli,ado,doremi,tac,ads,paced,gap-kl --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/generalist/peers
readbench run --suite generalist --allocators odm,exp3s,tscl,dump --seeds 300,301,302,303,304 --set params.allocator.odm.prior=uniform --set params.allocator.exp3s.prior=uniform --set params.allocator.tscl.prior=uniform --set params.allocator.dump.prior=uniform --set pilots.draw=31 --out results/generalist/bare
readbench run --suite generalist --allocators uniform,random,per-capability,one-hot --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/generalist/plain
readbench run --suite misread --allocators task-static,gap,learnable,horizon --seeds 300,301,302,303,304,305,306,307,308,309 --set pilots.draw=31 --out results/misread/planned
readbench run --suite misread --allocators read,read-cold,greedy,grid --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/misread/bandits
readbench run --suite misread --allocators odm,exp3s,tscl,dump,dynamix,skill-it,skill-it-pilots,aioli,ado,doremi,tac,ads,paced,gap-kl --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/misread/peers
readbench run --suite misread --allocators odm,exp3s,tscl,dump --seeds 300,301,302,303,304 --set params.allocator.odm.prior=uniform --set params.allocator.exp3s.prior=uniform --set params.allocator.tscl.prior=uniform --set params.allocator.dump.prior=uniform --set pilots.draw=31 --out results/misread/bare
readbench run --suite misread --allocators uniform,random,per-capability,one-hot --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/misread/plain
readbench run --suite multilingual --allocators task-static,gap,learnable,horizon --seeds 300,301,302,303,304,305,306,307,308,309 --set pilots.draw=31 --out results/multilingual/planned
readbench run --suite multilingual --allocators horizon --requirement pilots --seeds 300,301,302,303,304,305,306,307,308,309 --set pilots.draw=31 --out results/multilingual/told
readbench run --suite multilingual --allocators read,read-cold,greedy,grid --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/multilingual/bandits
readbench run --suite multilingual --allocators odm,exp3s,tscl,dump,dynamix,skill-it,skill-it-pilots,aioli,ado,doremi,tac,ads,paced,gap-kl --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/multilingual/peers
readbench run --suite multilingual --allocators odm,exp3s,tscl,dump --seeds 300,301,302,303,304 --set params.allocator.odm.prior=uniform --set params.allocator.exp3s.prior=uniform --set params.allocator.tscl.prior=uniform --set params.allocator.dump.prior=uniform --set pilots.draw=31 --out results/multilingual/bare
readbench run --suite multilingual --allocators uniform,random,per-capability,one-hot --seeds 300,301,302,303,304 --set pilots.draw=31 --out results/multilingual/plain
