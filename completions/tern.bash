# Completion of tern for bash, made by: tern completion bash
_tern() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local command=${COMP_WORDS[1]} words='' files=''
    case $command:$previous in
    run:--prompt | run:-p) files=0 ;;
    run:--file | run:-f) files=1 ;;
    run:--tokens | run:-n) files=0 ;;
    run:--temp) files=0 ;;
    run:--top-k) files=0 ;;
    run:--top-p) files=0 ;;
    run:--min-p) files=0 ;;
    run:--repeat-penalty) files=0 ;;
    run:--repeat-last) files=0 ;;
    run:--seed) files=0 ;;
    run:--threads | run:-t) files=0 ;;
    run:--ctx | run:-c) files=0 ;;
    run:--cache) words="f32 f16 i8" ;;
    run:--storage) words="auto 2 1.6" ;;
    run:--head) words="auto full screened int8 int4" ;;
    run:--cpu) files=0 ;;
    run:--device) files=0 ;;
    run:--color) words="auto always never" ;;
    run:--memory-json) files=1 ;;
    run:--track) words="counts sites full" ;;
    info:--values) files=0 ;;
    tokenize:--prompt | tokenize:-p) files=0 ;;
    tokenize:--file | tokenize:-f) files=1 ;;
    bench:--shape) words="2b4t 0.7b 3b 8b tiny" ;;
    bench:--threads | bench:-t) files=0 ;;
    bench:--prompt-tokens | bench:-p) files=0 ;;
    bench:--tokens | bench:-n) files=0 ;;
    bench:--repeats | bench:-r) files=0 ;;
    bench:--vs) files=0 ;;
    bench:--only) files=0 ;;
    bench:--cache) words="f32 f16 i8" ;;
    bench:--storage) words="auto 2 1.6" ;;
    bench:--head) words="auto full screened int8 int4" ;;
    bench:--cpu) files=0 ;;
    bench:--device) files=0 ;;
    validate:--only) files=0 ;;
    validate:--threads | validate:-t) files=0 ;;
    validate:--cpu) files=0 ;;
    validate:--device) files=0 ;;
    validate:--passes) files=0 ;;
    validate:--model) files=1 ;;
    validate:--peer) files=0 ;;
    validate:--json) files=1 ;;
    validate:--html) files=1 ;;
    validate:--md) files=1 ;;
    validate:--baseline) files=1 ;;
    validate:--save-baseline) files=1 ;;
    validate:--from) files=1 ;;
    validate:--color) words="auto always never" ;;
    devices:--order) files=0 ;;
    esac
    if ((COMP_CWORD == 1)); then
        words="--help --version run info tokenize bench validate devices version completion help"
    elif [[ -z $words$files ]]; then
        case $command:$current in
    run:-*) words="--help --prompt --file --tokens --temp --top-k --top-p --min-p --repeat-penalty --repeat-last --seed --threads --ctx --cache --storage --head --cpu --device --no-special --ignore-eos --quiet --color --memory-report --memory-json --stats --explain --track" ;;
    run:*) files=1 words="" ;;
    info:-*) words="--help --json --values" ;;
    info:*) files=1 words="" ;;
    tokenize:-*) words="--help --prompt --file --ids --decode --special --bos --json" ;;
    tokenize:*) files=1 words="" ;;
    bench:-*) words="--help --shape --threads --prompt-tokens --tokens --repeats --quick --vs --only --cache --storage --head --cpu --device --list --json" ;;
    bench:*) files=1 words=" team_run tensor_create tensor_sites memory_read ternary_linear ternary_batch matmul_f16 matmul_f64 matmul_i8 memory elementwise matmul zero-copy operations roofline kernels models devices" ;;
    validate:-*) words="--help --quick --full --only --threads --cpu --device --passes --model --peer --json --html --md --baseline --save-baseline --no-baseline --from --list --strict --details --color" ;;
    validate:*) files=0 words="" ;;
    devices:-*) words="--help --measure --order --ops --json" ;;
    devices:*) files=0 words=" cpu cuda mlx" ;;
    version:-*) words="--help" ;;
    version:*) files=0 words="" ;;
    completion:-*) words="--help" ;;
    completion:*) files=0 words=" bash zsh fish" ;;
    help:-*) words="--help --man --ops" ;;
    help:*) files=0 words=" run info tokenize bench validate devices version completion help" ;;
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    if [[ $files == 1 ]]; then
        local IFS=$'\n'
        COMPREPLY+=($(compgen -f -- "$current"))
    fi
}
complete -o filenames -F _tern tern
