# The commands of `make demo`: a few minutes on 2 cores.
set -eu
run=$(disentangle train beta-vae dsprites --beta 4 --network burgess --lr 1e-3 --steps 3000 --seed 0)
disentangle score "$run"
disentangle traverse "$run" --base random --base first --base 500000 --base prior
echo
echo "The table:    results/scores.md (and scores.csv)"
echo "The pictures: $run/figures/: traversals, reconstructions, samples, KL over training"
