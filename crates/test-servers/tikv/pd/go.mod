// The placement driver, by a version that the module proxy serves (it serves few of its many).
module hitmill.invalid/pd

go 1.21

require github.com/tikv/pd v1.1.0-beta.0.20240407022249-7179657d129b
