"""PACKAGE lzc/compiler/lua"""
