"""Every number of hitmill once more, from raw hits alone: docs/semantics.md in Python's standard library. Shares no code
with the product.

    python3 tests/reference/shops generate --seed 1 --shops 200 --out shops.jsonl
    python3 tests/reference/shops answer shops.jsonl --out expected.jsonl
    python3 tests/reference/shops check

A file of shops has one line for each shop, {"shop", "time_zone", "week_start", "rules"}, and after it one for each batch in
order of receipt, {"shop", "received_ms", "lane", "batch"}. The batch is a hitmill.v1.Batch in the JSON of protobuf.

A file of expectations has for each shop {"shop", "fates"}, by hour of receipt, and then {"shop", "question", "rows"}: rows are
sorted by start and dimensions; those of a breakdown in which every number is 0 are left out, and so are currencies of which
the sum is 0. Money is in whole micros (an average may have a fraction of one), ratios are numbers, or null without a whole.
"""
import argparse
import json
import sys

import check
import generate
import laws
import questions


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    command = commands.add_parser('generate', help='adversarial shops, as lines of JSON')
    command.add_argument('--seed', default='1')
    command.add_argument('--shops', type=int, default=20)
    command.add_argument('--out', default='-')
    command = commands.add_parser('answer', help='what the product must say about them')
    command.add_argument('file')
    command.add_argument('--out', default='-')
    command = commands.add_parser('check', help='holds this program against numbers worked out by hand, and against laws')
    command.add_argument('--seed', default='1')
    command.add_argument('--shops', type=int, default=5)
    arguments = parser.parse_args()
    if arguments.command == 'generate':
        write(arguments.out, generate.lines(arguments.seed, arguments.shops))
    elif arguments.command == 'answer':
        with open(arguments.file, encoding='utf-8') as file:
            shops = questions.shops(map(json.loads, file))
            write(arguments.out, (line for shop in shops for line in questions.expected(*shop)))
    else:
        cases, held = check.check(), laws.check(arguments.seed, arguments.shops)
        print(f'{cases} cases worked out by hand and {held} laws of {arguments.shops} shops hold')


def write(path, lines):
    out = sys.stdout if path == '-' else open(path, 'w', encoding='utf-8')
    for line in lines:
        print(json.dumps(line, ensure_ascii=False, separators=(',', ':')), file=out)
    if out is not sys.stdout:
        out.close()


if __name__ == '__main__':
    main()
